module shapes
  implicit none
  type :: point
    real(8) :: x = 1.5d0, y = 2.5d0
  end type
contains
  recursive function fact(n) result(r)
    integer(8), intent(in) :: n
    integer(8) :: r
    if (n <= 1) then; r = 1; else; r = n * fact(n - 1); end if
  end function
end module
program main
  use shapes
  use, intrinsic :: iso_fortran_env
  implicit none
  real(8), allocatable :: a(:,:), b(:)
  complex(8) :: z
  real(16) :: q
  integer :: i, ios, u
  character(len=20) :: s
  type(point) :: p
  integer, parameter :: n = 4
  allocate(a(n,n), b(n))
  a = reshape([(real(i,8), i=1,n*n)], [n,n]); b = 1
  print '(4f9.3)', matmul(a, b)
  print '(a,i5.3,es12.4,l2,b10)', 'text', 7, 1.25d-3, .true., 5
  print *, sum(a), maxval(a), minloc(a), &
     transpose(a(1:2,1:2)), dot_product(b, b)
  z = (1.0d0, 2.0d0); print *, sqrt(z), abs(z), exp(z)
  q = 1.0_16 / 3.0_16; print *, q, sin(q), sqrt(q), q**3.5_16
  write(*, '(f40.30)') q
  write(s, '(i0,"/",f0.2)') 42, 3.14159; print *, trim(s), len_trim(s)
  read(s, *, iostat=ios) i; print *, ios
  open(newunit=u, file='fortran.txt', status='replace'); write(u, *) 1, 2.5; rewind(u); read(u, *) i, b(1); print *, i, b(1)
  close(u, status='delete')
  open(newunit=u, file='/nonexistent/x', status='old', iostat=ios, iomsg=s); print *, ios /= 0
  print *, fact(20_8), p%x + p%y, huge(1), epsilon(1.0d0)
  print *, bessel_j0(1.0d0), gamma(5.5d0), erf(0.5d0)
  read(*, *, iostat=ios) i; print *, ios, is_iostat_end(ios)
  write(error_unit, *) 'to stderr'
  if (command_argument_count() > 0) then
    deallocate(b); deallocate(b)
  end if
  error stop 9
end program
